"""Text that is read as it stands: any encoding, in windows; Markdown, LaTeX, subtitles."""
