import { Certificate, largestCertificate } from './certificate.ts';
import { refuse } from './der-reader.ts';

/** RFC 7468, without headers, which nothing that we read has. */
const block = /-----BEGIN ([A-Z0-9 ]{1,40})-----([A-Za-z0-9+/=\s]*)-----END ([A-Z0-9 ]{1,40})-----/g;

export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
}

export function toPem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** Text around blocks is ignored, as everywhere; at most `most` blocks. Throws SpiffeError `certificate_invalid`. */
export function readPem(text: string, most: number): readonly PemBlock[] {
  if (text.length > most * largestCertificate * 2) refuse('the PEM text is too long');
  const blocks: PemBlock[] = [];
  for (const [, label = '', body = '', end] of text.matchAll(block)) {
    if (label !== end) refuse('a PEM block ends as something else than it began');
    if (blocks.length >= most) refuse(`there are more than ${most} PEM blocks`);
    blocks.push({ label, der: fromBase64(body.replace(/\s+/g, '')) });
  }
  if (blocks.length !== (text.match(/-----BEGIN /g) ?? []).length) refuse('a PEM block is malformed');
  return blocks;
}

export function readPemCertificates(text: string, most: number): readonly Certificate[] {
  const blocks = readPem(text, most);
  if (blocks.length === 0) refuse('there is no certificate');
  return blocks.map(({ label, der }) => {
    if (label !== 'CERTIFICATE') refuse(`a PEM block is not a certificate but ${label}`);
    return Certificate.parse(der);
  });
}

/** Standard base64 with padding and nothing else; Node alone would skip what it does not know. */
export function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64');
  if (text.length === 0 || bytes.toString('base64') !== text) refuse('the text is not base64');
  return new Uint8Array(bytes);
}
