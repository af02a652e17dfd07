"""What the texts around a video look like: lengths, diversity, marks, language, readability."""
