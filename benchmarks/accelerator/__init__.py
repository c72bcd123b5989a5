"""All measurements that need an accelerator, in one call: `scripts/benchmark.sh accelerator --help`."""
