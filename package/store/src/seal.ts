declare const sealed: unique symbol;

/**
 * Bytes that went through the vault. The brand exists so that a driver cannot be handed a plaintext by mistake;
 * it is made in one place only, `app/nexus/src/vault`, which is why it has an entry point of its own.
 */
export type Sealed = Uint8Array & { readonly [sealed]: true };

/** Declares that these bytes are ciphertext. Only the vault may say so. */
export function toSealed(bytes: Uint8Array): Sealed {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one place where the brand is given
  return bytes as Sealed;
}
