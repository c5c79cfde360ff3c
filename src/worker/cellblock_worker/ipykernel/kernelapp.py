"""ipykernel's name for the application: what reads the command line and the configuration."""

from cellblock_worker.application import IPKernelApp

launch_new_instance = IPKernelApp.launch_instance

__all__ = ["IPKernelApp", "launch_new_instance"]
