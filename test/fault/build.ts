import { join } from 'node:path';
import { must } from '../interop/build.ts';
import { repository } from '../system.ts';

const here = join(repository, 'test', 'fault');

/**
 * The shim as a library to preload, in a directory of the caller: a library that is in use must not change. Without a C
 * compiler the test fails: skipping would look like passing.
 */
export async function buildShim(directory: string): Promise<string> {
  const path = join(directory, 'shim.so');
  const flags = ['-O2', '-Wall', '-Wextra', '-Werror', '-shared', '-fPIC'];
  const needs =
    'a C compiler (cc, gcc on Debian) and the GNU C library have to be here for the tests of faults';
  await must('cc', [...flags, '-o', path, join(here, 'shim.c'), '-ldl', '-lpthread'], here, needs);
  return path;
}
