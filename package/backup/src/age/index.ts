export {
  generateIdentity,
  mostRecipients,
  parseIdentities,
  parseRecipient,
  parseRecipients,
  recipientOf,
  shorten,
  type Identity,
  type Recipient,
} from './recipient.ts';
export { openStream } from './open.ts';
export { sealStream } from './seal.ts';
