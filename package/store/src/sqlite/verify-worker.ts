import { parentPort, workerData } from 'node:worker_threads';
import { openReadable } from './connection.ts';
import { errcodeOf, sqliteCode, toFailure } from './error.ts';
import type { VerifyAnswer, VerifyStart } from './verify.ts';

const maxProblems = 100;

function check(path: string): VerifyAnswer {
  try {
    const database = openReadable(path);
    try {
      const found = database.prepare(`PRAGMA integrity_check(${maxProblems})`).all();
      const problems = found.map((row) => String(row['integrity_check']));
      return { problems: problems.filter((problem) => problem !== 'ok') };
    } finally {
      database.close();
    }
  } catch (error) {
    const primary = (errcodeOf(error) ?? 0) & 0xff;
    const failure = toFailure(error, 'none');
    // Damage so great that the check itself cannot go on is a finding, not a failure to look.
    if (primary === sqliteCode.corrupt || primary === sqliteCode.notadb)
      return { problems: [failure.message] };
    return { failure };
  }
}

if (parentPort !== null) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only ./verify.ts starts this module
  parentPort.postMessage(check((workerData as VerifyStart).path));
}
