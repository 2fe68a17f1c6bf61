/**
 * Password hashes that other systems made: which can be read, and which an edge isolate can afford to check. PHC string
 * format, with the spellings of passlib, Django and Werkzeug.
 *
 * The bounds keep an isolate within its 128 MiB, and from standing still for as long as the store's deadline of 800 ms,
 * since other requests wait meanwhile. Their times are CPU in workerd, where a hash of ours takes 35 to 60 ms.
 */

export type ForeignHash =
  | { readonly scheme: 'argon2' | 'bcrypt'; readonly hash: string }
  | {
      readonly scheme: 'scrypt'
      readonly cost: { readonly N: number; readonly r: number; readonly p: number }
      readonly salt: Uint8Array
      readonly digest: Uint8Array
    }
  | {
      readonly scheme: 'pbkdf2'
      readonly prf: 'sha1' | 'sha256' | 'sha512'
      readonly iterations: number
      readonly salt: Uint8Array
      readonly digest: Uint8Array
    }

/** `problem` is a sentence for people, without any part of the hash. */
export type Reading = ForeignHash | { readonly problem: string }

/** KiB. The default of PHP, argon2-cffi and Node's argon2; more leaves an isolate too little. */
const ARGON2_MEMORY_LIMIT = 65_536
/** KiB times passes: 64 MiB in four passes, PHP's default, take 270 ms. */
const ARGON2_WORK_LIMIT = 262_144
/** More lanes than anybody's default: each costs a little beside the memory. */
const ARGON2_LANES_LIMIT = 16
/** 2^13 rounds take 520 ms, 2^14 already 1030. */
const BCRYPT_COST_LIMIT = 13
/** 32 MiB: beside argon2's own memory an isolate has no room for 64. */
const SCRYPT_MEMORY_LIMIT = 32 * 1024 * 1024
/** 16 MiB five times, Django's default, take 260 ms. */
const SCRYPT_WORK_LIMIT = 80 * 1024 * 1024
/** Iterations times blocks. What Django asks for since 2026: 2.7 s of CPU with SHA-1, 3.6 with SHA-256, 5 with SHA-512, in slices. */
const PBKDF2_WORK_LIMIT = 1_500_000

/** What the iterations are run for, each time anew. */
const PBKDF2_BLOCK_BYTES = { sha1: 20, sha256: 32, sha512: 64 }

/** Bytes. Less than 16 could be met by chance or by trying. */
const DIGEST_BYTES = { least: 16, most: 128 }

const malformed = (scheme: string) => ({ problem: `The hash looks like ${scheme} but is malformed.` })
const tooCostly = (what: string) => ({ problem: `The hash is too costly to check at the edge: ${what}.` })

const readers: readonly { readonly scheme: string; readonly begins: RegExp; read(hash: string): Reading }[] = [
  { scheme: 'argon2', begins: /^(argon2)?\$argon2(id|i|d)\$/, read: readArgon2 },
  { scheme: 'bcrypt', begins: /^(bcrypt\$)?\$2[aby]\$/, read: readBcrypt },
  { scheme: 'scrypt', begins: /^(\$scrypt\$|scrypt[$:])/, read: readScrypt },
  {
    scheme: 'PBKDF2',
    begins: /^(\$pbkdf2(-sha1|-sha256|-sha512)?\$|pbkdf2(_sha1|_sha256|:sha1|:sha256|:sha512)[$:])/,
    read: readPbkdf2,
  },
]

export function readForeignHash(hash: string): Reading {
  const reader = readers.find(({ begins }) => begins.test(hash))
  if (!reader) return { problem: 'The hash is of an unknown scheme: argon2, bcrypt, scrypt and PBKDF2 are known.' }
  return reader.read(hash)
}

/** Why accounts with this hash cannot be taken over; undefined if they can. */
export function whyNotImportable(hash: string): string | undefined {
  const reading = readForeignHash(hash)
  return 'problem' in reading ? reading.problem : undefined
}

/** `$argon2id$v=19$m=65536,t=3,p=4$salt$hash`; Django writes `argon2` before it. */
function readArgon2(spelled: string): Reading {
  const hash = spelled.replace(/^argon2\$/, '$')
  const [, m, t, p, salt, digest] =
    /^\$argon2(?:id|i|d)\$v=(?:16|19)\$m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,8})\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  const [memory, passes, lanes] = [Number(m), Number(t), Number(p)]
  // RFC 9106 section 3.1: eight blocks a lane at least, and a salt of eight bytes.
  const fits = passes >= 1 && lanes >= 1 && memory >= 8 * lanes && (readBase64(salt)?.length ?? 0) >= 8
  if (!fits || !readDigest(digest)) return malformed('argon2')
  if (memory > ARGON2_MEMORY_LIMIT) return tooCostly(`m is more than ${ARGON2_MEMORY_LIMIT} KiB`)
  if (memory * passes > ARGON2_WORK_LIMIT) return tooCostly(`m times t is more than ${ARGON2_WORK_LIMIT}`)
  if (lanes > ARGON2_LANES_LIMIT) return tooCostly(`p is more than ${ARGON2_LANES_LIMIT}`)
  return { scheme: 'argon2', hash }
}

/** `$2b$12$` and 53 characters; Django writes `bcrypt$` before it. */
function readBcrypt(spelled: string): Reading {
  const hash = spelled.replace(/^bcrypt\$/, '')
  const [, cost] = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/.exec(hash) ?? []
  if (cost === undefined || Number(cost) < 4 || Number(cost) > 31) return malformed('bcrypt')
  if (Number(cost) > BCRYPT_COST_LIMIT) return tooCostly(`its cost is more than ${BCRYPT_COST_LIMIT}`)
  return { scheme: 'bcrypt', hash }
}

/** `$scrypt$ln=14,r=8,p=1$salt$hash`, Django's `scrypt$16384$salt$8$1$hash`, Werkzeug's `scrypt:16384:8:1$salt$hex`. */
function readScrypt(hash: string): Reading {
  const [, ln, ...phc] = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,7}),p=(\d{1,7})\$([^$]*)\$([^$]+)$/.exec(hash) ?? []
  if (ln !== undefined) return scryptOf(2 ** Number(ln), phc, { salt: readBase64(phc[2]), digest: readDigest(phc[3]) })
  const [, n, salt, ...django] = /^scrypt\$(\d{1,10})\$([^$]+)\$(\d{1,7})\$(\d{1,7})\$([^$]+)$/.exec(hash) ?? []
  if (n !== undefined) return scryptOf(Number(n), django, { salt: utf8(salt), digest: readDigest(django[2]) })
  const [, N, ...werkzeug] = /^scrypt:(\d{1,10}):(\d{1,7}):(\d{1,7})\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  return scryptOf(Number(N), werkzeug, { salt: utf8(werkzeug[2]), digest: readHexDigest(werkzeug[3]) })
}

function scryptOf(
  N: number,
  [first, second]: readonly string[],
  { salt, digest }: { salt: Uint8Array | undefined; digest: Uint8Array | undefined },
): Reading {
  const [r, p] = [Number(first), Number(second)]
  // RFC 7914 section 2: N is a power of two.
  const fits = N > 1 && Number.isInteger(Math.log2(N)) && r >= 1 && p >= 1
  if (!fits || !salt || !digest) return malformed('scrypt')
  const bytes = 128 * N * r
  if (bytes > SCRYPT_MEMORY_LIMIT) return tooCostly(`128 times N times r is more than ${SCRYPT_MEMORY_LIMIT}`)
  if (bytes * p > SCRYPT_WORK_LIMIT) return tooCostly(`128 times N times r times p is more than ${SCRYPT_WORK_LIMIT}`)
  return { scheme: 'scrypt', cost: { N, r, p }, salt, digest }
}

/**
 * `$pbkdf2-sha256$i=600000,l=32$salt$hash`, passlib's `$pbkdf2-sha256$29000$salt$hash`, Django's `pbkdf2_sha256$600000$salt$hash`,
 * Werkzeug's `pbkdf2:sha256:600000$salt$hex`.
 */
function readPbkdf2(hash: string): Reading {
  const [, prf = 'sha1', i, l, salt, digest] =
    /^\$pbkdf2(?:-(sha\d+))?\$(?:i=)?(\d{1,10})(?:,l=(\d{1,3}))?\$([^$]*)\$([^$]+)$/.exec(hash) ?? []
  if (i !== undefined) {
    const read = readDigest(digest)
    return pbkdf2Of(prf, i, {
      salt: readBase64(salt),
      digest: l === undefined || Number(l) === read?.length ? read : undefined,
    })
  }
  const [, django, d, ...rest] = /^pbkdf2_(sha\d+)\$(\d{1,10})\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  if (django !== undefined) return pbkdf2Of(django, d, { salt: utf8(rest[0]), digest: readDigest(rest[1]) })
  const [, werkzeug, w, ...others] = /^pbkdf2:(sha\d+):(\d{1,10})\$([^$]+)\$([^$]+)$/.exec(hash) ?? []
  return pbkdf2Of(werkzeug, w, { salt: utf8(others[0]), digest: readHexDigest(others[1]) })
}

function pbkdf2Of(
  prf: string | undefined,
  i: string | undefined,
  { salt, digest }: { salt: Uint8Array | undefined; digest: Uint8Array | undefined },
): Reading {
  const iterations = Number(i)
  if (prf !== 'sha1' && prf !== 'sha256' && prf !== 'sha512') return malformed('PBKDF2')
  if (!(iterations >= 1) || !salt || !digest) return malformed('PBKDF2')
  const blocks = Math.ceil(digest.length / PBKDF2_BLOCK_BYTES[prf])
  if (iterations * blocks > PBKDF2_WORK_LIMIT)
    return tooCostly(`it has more than ${PBKDF2_WORK_LIMIT} iterations, counted for each block of ${prf}`)
  return { scheme: 'pbkdf2', prf, iterations, salt, digest }
}

/** With or without padding; passlib has `.` in the place of `+`. */
function readBase64(text = ''): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/.]+={0,2}$/.test(text)) return undefined
  try {
    return Uint8Array.from(atob(text.replaceAll('.', '+')), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}

function readDigest(text?: string): Uint8Array | undefined {
  return ofFittingLength(readBase64(text))
}

function readHexDigest(text = ''): Uint8Array | undefined {
  if (!/^([0-9a-f]{2})+$/.test(text)) return undefined
  return ofFittingLength(Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)))
}

function ofFittingLength(digest: Uint8Array | undefined): Uint8Array | undefined {
  const fits = digest && digest.length >= DIGEST_BYTES.least && digest.length <= DIGEST_BYTES.most
  return fits ? digest : undefined
}

/** A salt that is taken as the characters it is written in. */
function utf8(text: string | undefined): Uint8Array | undefined {
  return text === undefined ? undefined : new TextEncoder().encode(text)
}
