"""What runs in a job's pod: fetches the files, runs the command, brings its log and files home.

Standard library and httpx only, because it lives in the image that notebooks and jobs share.
"""
