"""What worker.py can be asked; each command prepares once what its items share, then handles them one by one."""
