"""ZigBee, sans-I/O: frames and clusters as bytes and frozen values. No loop, no clock, no keys of anybody."""
