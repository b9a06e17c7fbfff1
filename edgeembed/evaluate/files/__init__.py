"""Files: data sets as people have them, csv, tsv, jsonl or BEIR's folders, read and checked."""
