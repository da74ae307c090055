"""The published experiments of the source papers: run again, put beside what was reported, judged by stated rules."""
