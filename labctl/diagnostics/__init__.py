"""What looks at a lab and changes nothing: status, logs, the support bundle, the doctor."""
