/** `@node-rs/argon2` where the project runs in Node: its native build, four times as fast as wasm. */
import { hash, verify } from '@node-rs/argon2'
import type { Argon2 } from '../accounts/hasher.ts'

export const argon2Native: Argon2 = { hash, verify }
