"""Files that hold files: mail with attachments, archives, packed files."""
