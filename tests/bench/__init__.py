"""`make bench`: counts and ratios that hold on a noisy machine; nothing here is a test."""
