"""The pages: templates, styles and small scripts, served as they lie here. No build step."""
