// First import of main.ts: the arguments may hold a secret, and /proc/PID/cmdline is there for everybody to read.
process.title = 'spike';
