import { closeSync, constants, openSync } from 'node:fs';
import { callOpenpty } from '../libc.ts';

/** A pseudo-terminal: the test holds `controller`, a child gets `device` as its standard input and output. */
export interface Terminal extends Disposable {
  readonly controller: number;
  readonly device: number;
  readonly path: string;
}

/** Disposal closes both descriptors. Throws `host_refused` off Linux. */
export function openTerminal(): Terminal {
  const { fd, path } = callOpenpty(constants.O_RDWR | constants.O_NOCTTY);
  const device = openSync(path, constants.O_RDWR | constants.O_NOCTTY);
  let isOpen = true;
  return {
    controller: fd,
    device,
    path,
    [Symbol.dispose]: () => {
      if (!isOpen) return;
      isOpen = false;
      closeSync(device);
      closeSync(fd);
    },
  };
}
