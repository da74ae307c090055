"""Tables, figures and files of the comparison of policies on a real model."""
