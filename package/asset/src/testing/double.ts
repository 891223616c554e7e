// A thread for the test: answers twice what it is given.
import { parentPort, workerData } from 'node:worker_threads';

parentPort?.postMessage(Number(workerData) * 2);
