"""The page's files: plain HTML, CSS and JavaScript, served as they are. A package only so that they are installed."""
