"""`report.html`, part by part."""
