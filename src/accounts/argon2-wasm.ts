/**
 * `@node-rs/argon2` at the edge: its wasm build, instantiated by hand because its own loader starts threads, which a
 * Worker has not got. Only the synchronous calls work.
 */
import { createContext } from '@emnapi/runtime'
import { emnapiAsyncWorkPlugin, emnapiTSFNPlugin, instantiateNapiModuleSync, WASI } from '@napi-rs/wasm-runtime'
import module from '@node-rs/argon2-wasm32-wasi/argon2.wasm32-wasi.wasm'
import type { Argon2, Argon2Options } from './hasher.ts'

/**
 * Pages of 64 KiB. The 61 MiB that the module asks for are its stack, of which it touches next to nothing; so what it uses in
 * fact is the memory of the most costly hash so far: 19 MiB, or up to 64 where such hashes were imported.
 */
const memoryPages = { initial: 977, maximum: 2048 }

/** What is used of the module's exports. */
export interface Argon2Exports {
  hashSync(password: string, options: Argon2Options): string
  verifySync(hash: string, password: string, options: { secret?: Uint8Array }): boolean
}

let exports: Argon2Exports | undefined

/** Instantiated at the first hash of the isolate: an isolate that only verifies tokens never pays for it. */
function argon2(): Argon2Exports {
  exports ??= instantiate()
  return exports
}

function instantiate(): Argon2Exports {
  const memory = new WebAssembly.Memory({ ...memoryPages, shared: true })
  const { napiModule } = instantiateNapiModuleSync(module, {
    context: createContext(),
    asyncWorkPoolSize: 0,
    plugins: [emnapiAsyncWorkPlugin, emnapiTSFNPlugin],
    wasi: new WASI({ version: 'preview1' }),
    overwriteImports: (imports) => ({
      ...imports,
      env: { ...imports['env'], ...imports['napi'], ...imports['emnapi'], memory },
    }),
    beforeInit({ instance }) {
      for (const [name, register] of Object.entries(instance.exports))
        if (name.startsWith('__napi_register__') && typeof register === 'function') register()
    },
  })
  return napiModule.exports
}

export const argon2Wasm: Argon2 = {
  hash: (password, options) => argon2().hashSync(password, options),
  verify: (hash, password, options) => argon2().verifySync(hash, password, options),
}
