"""The process that makes teams on the host as the registry says, and keeps them so.

It is one of its own, because its rights are: the hub and the job service face people, and this one does not.
"""
