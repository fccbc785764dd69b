"""What every adapter of a port keeps, as classes of tests with abstract fixtures."""
