"""The methods of Slack's Web API that the stand-in answers, one family a file.

They check and answer as Slack does; the workspace alone holds state.
"""
