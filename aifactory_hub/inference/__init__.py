"""The inference server: what runs in a release's pods. It fetches a version's files, checks them, and answers.

It speaks the Open Inference Protocol, version 2 (https://github.com/open-inference/open-inference-protocol): JSON over
HTTP. Light as the runner is: the standard library, httpx, and what the model itself needs.
"""
