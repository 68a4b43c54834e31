"""What the page draws itself: dots, curves, maps and samples."""
