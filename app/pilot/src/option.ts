/* What the flags of a command come to; `program.ts` declares the flags, the commands read these. */

export interface FormatOptions {
  readonly format: string;
}
export interface StatusOptions extends FormatOptions {
  readonly verify?: boolean;
}
export interface ContextOptions extends FormatOptions {
  readonly shell?: boolean;
}
export interface PolicyFlags {
  readonly name?: string;
  readonly pathPattern?: string;
  readonly spiffeidPattern?: string;
  readonly permissions?: string;
  readonly file?: string;
}
export interface ListFilters extends FormatOptions {
  readonly pathPattern?: string;
  readonly spiffeidPattern?: string;
}
export interface EntryFlags extends FormatOptions {
  readonly spiffeId: string;
  readonly selector: readonly string[];
}
