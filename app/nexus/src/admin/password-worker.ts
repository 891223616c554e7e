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
  // To zxcvbn a word that comes again is as good as another one, unless nothing stands between.
  const spellings = new Set([beginning, withoutRepeats(beginning)]);
  // What belongs to the person is the first that somebody tries.
  const scores = [...spellings].map((spelling) => zxcvbn.check(spelling, [user, 'spike', 'nexus']).score);
  return { common: false, score: Math.min(...scores) };
}

function withoutRepeats(text: string): string {
  const words = text.split(/[\s\p{P}\p{S}]+/u).filter((word) => word !== '');
  const different = new Map(words.map((word) => [word.toLowerCase(), word]));
  return different.size === words.length ? text : [...different.values()].join(' ');
}

if (parentPort !== null) {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only ./password-judge.ts starts this module
  parentPort.postMessage(judge(workerData as JudgeStart));
}
