/** Files that the bundler hands to the Worker as they are: see `rules` in `wrangler.toml`. */

declare module '*.lua' {
  const source: string
  export default source
}

declare module '*.txt' {
  const text: string
  export default text
}

declare module '*.wasm' {
  const module: WebAssembly.Module
  export default module
}

/** What is used of it: the package ships no types. */
declare module '@napi-rs/wasm-runtime' {
  import type { Argon2Exports } from './accounts/argon2-wasm.ts'

  type Imports = Record<string, Record<string, WebAssembly.ImportValue>>

  export const WASI: new (options: { readonly version: 'preview1' }) => object
  export const emnapiAsyncWorkPlugin: unknown
  export const emnapiTSFNPlugin: unknown
  export function instantiateNapiModuleSync(
    module: WebAssembly.Module,
    options: {
      readonly context: object
      readonly asyncWorkPoolSize: number
      readonly plugins: readonly unknown[]
      readonly wasi: object
      overwriteImports(imports: Imports): Imports
      beforeInit(loaded: { readonly instance: WebAssembly.Instance }): void
    },
  ): { readonly napiModule: { readonly exports: Argon2Exports } }
}
