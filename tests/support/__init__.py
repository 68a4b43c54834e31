"""What tests of several folders share: fabricated stores, small suites, stand-in executors, a local web server."""
