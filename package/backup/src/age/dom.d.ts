/** A type of browsers that the declarations of age-encryption name, for what it does in browsers alone. */
interface AuthenticationExtensionsPRFValues {
  readonly first: ArrayBuffer | ArrayBufferView;
  readonly second?: ArrayBuffer | ArrayBufferView;
}
