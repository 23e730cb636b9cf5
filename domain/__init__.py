"""Pure rules of the closed loop: no input or output, no clock, no Temporal, no environment."""
