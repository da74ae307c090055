"""Figures of capacity and congestion: PDF, SVG or PNG in the house style."""
