import { base64, text } from './field.ts';

const nonceBytes = 32;
const answerBytes = 32;

/** What an approval is called: its kind and random letters. Whether there is one of this name is not known here. */
export const approvalId = text(64);

export const nonce = base64(nonceBytes).refine(
  (bytes) => bytes.length === nonceBytes,
  `has to be ${nonceBytes} bytes`,
);

export const answer = base64(answerBytes).refine(
  (bytes) => bytes.length === answerBytes,
  `has to be ${answerBytes} bytes`,
);
