"""Several devices and several processes, compared with one."""
