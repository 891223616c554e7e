import { parentPort, workerData } from 'node:worker_threads';
import { ZxcvbnFactory } from '@zxcvbn-ts/core';
import { adjacencyGraphs, dictionary as commonDictionary } from '@zxcvbn-ts/language-common';
import { dictionary as englishDictionary } from '@zxcvbn-ts/language-en';
import type { JudgeAnswer, JudgeStart } from './password-judge.ts';

/** Wipes the password. */
export function judge({ password, user, longest }: JudgeStart): JudgeAnswer {
  const text = new TextDecoder().decode(password);
  password.fill(0);
  const folded = text.toLowerCase();
  if (commonDictionary['passwords-common'].includes(folded)) return { common: true, score: 0 };
  const zxcvbn = new ZxcvbnFactory({
    dictionary: { ...commonDictionary, ...englishDictionary },
    graphs: adjacencyGraphs,
  });
  // The time grows with the square of the length, and whoever guesses the beginning has not guessed the rest.
  const beginning = Array.from(text).slice(0, longest).join('');
  // A word twice is known for what it is only where nothing stands between.
  const spellings = new Set([beginning, beginning.replace(/[\s\p{P}]+/gu, '')]);
  // What belongs to the person is the first that somebody tries.
  const scores = [...spellings].map((spelling) => zxcvbn.check(spelling, [user, 'spike', 'nexus']).score);
  return { common: false, score: Math.min(...scores) };
}

if (parentPort !== null) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only ./password-judge.ts starts this module
  parentPort.postMessage(judge(workerData as JudgeStart));
}
