"""The words of /charge, one family a file; `bot.commands.registry` lists them. They answer, and send nothing."""
