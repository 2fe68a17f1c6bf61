import { describe, expect, it } from 'vitest'
import { readForeignHash, whyNotImportable } from '../../src/accounts/foreign-hash.ts'
import { matchForeign } from '../../src/accounts/foreign-match.ts'
import { argon2Native } from '../../src/local/argon2-native.ts'
import { foreignPassword, foreignSamples, mostCostlyPbkdf2 } from '../support/foreign-hashes.ts'

const salt = 'c2Vhc2FsdHNlYXNhbHQ'
const digest = 'A'.repeat(43)
const bcrypt = 'abcdefghijklmnopqrstuuR9vr8ZS8EqsDm3H0sL9R4SDAOyYoJeu'

describe('a hash of another system', () => {
  it.each(foreignSamples)('is taken: $name', ({ hash }) => {
    expect(whyNotImportable(hash)).toBeUndefined()
  })

  it.each([
    '5f4dcc3b5aa765d61d8327deb882cf99',
    '{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3',
    '$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/',
    '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/',
    '$2$10$abcdefghijklmnopqrstuuR9vr8ZS8EqsDm3H0sL9R4SDAOyYoJeu',
    '$2x$10$abcdefghijklmnopqrstuuR9vr8ZS8EqsDm3H0sL9R4SDAOyYoJeu',
    'bcrypt_sha256$$2b$12$abcdefghijklmnopqrstuuR9vr8ZS8EqsDm3H0sL9R4SDAOyYoJeu',
    `$pbkdf2-md5$1000$${salt}$${digest}`,
    '$7$C6..../....SodiumChloride$kBGj9fHznVYFQMEn/qDCfrDevf9YDtcDdKvEqHJLV8D',
    'plain text',
    '',
  ])('is refused as of an unknown scheme: %s', (hash) => {
    expect(whyNotImportable(hash)).toContain('unknown scheme')
  })

  it.each([
    ['argon2', `$argon2id$m=4096,t=3,p=1$${salt}$${digest}`],
    ['argon2', `$argon2id$v=18$m=4096,t=3,p=1$${salt}$${digest}`],
    ['argon2', `$argon2id$v=19$m=4096,t=3,p=1,keyid=a$${salt}$${digest}`],
    ['argon2', `$argon2id$v=19$m=4096,t=0,p=1$${salt}$${digest}`],
    ['argon2', `$argon2id$v=19$m=8,t=3,p=2$${salt}$${digest}`],
    ['argon2', `$argon2id$v=19$m=4096,t=3,p=1$c2FsdA$${digest}`],
    ['argon2', `$argon2id$v=19$m=4096,t=3,p=1$${salt}$c2hvcnQ`],
    ['argon2', `$argon2id$v=19$m=4096,t=3,p=1$${salt}`],
    ['bcrypt', `$2b$3$${bcrypt}`],
    ['bcrypt', `$2b$03$${bcrypt}`],
    ['bcrypt', `$2b$32$${bcrypt}`],
    ['bcrypt', `$2b$10$${bcrypt.slice(1)}`],
    ['bcrypt', `$2b$10$${bcrypt}x`],
    ['bcrypt', `$2b$10$${bcrypt.slice(1)}+`],
    ['scrypt', `$scrypt$ln=14,r=8$${salt}$${digest}`],
    ['scrypt', `$scrypt$ln=0,r=8,p=1$${salt}$${digest}`],
    ['scrypt', `$scrypt$ln=14,r=0,p=1$${salt}$${digest}`],
    ['scrypt', `$scrypt$ln=14,r=8,p=0$${salt}$${digest}`],
    ['scrypt', `$scrypt$ln=14,r=8,p=1$${salt}$c2hvcnQ`],
    ['scrypt', `scrypt$16383$seasalt$8$1$${digest}`],
    ['scrypt', `scrypt:32768:8:1$seasalt$${'A'.repeat(64)}`],
    ['scrypt', `scrypt:32768:8$seasalt$${'a'.repeat(64)}`],
    ['PBKDF2', `$pbkdf2-sha256$0$${salt}$${digest}`],
    ['PBKDF2', `$pbkdf2-sha256$i=1000,l=31$${salt}$${digest}`],
    ['PBKDF2', `$pbkdf2-sha256$i=1000,l=32$${salt}$${digest.slice(1)}!`],
    ['PBKDF2', `$pbkdf2-sha256$1000$${salt}$c2hvcnQ`],
    ['PBKDF2', `pbkdf2_sha256$1000$seasalt`],
    ['PBKDF2', `pbkdf2:sha256$seasalt$${'a'.repeat(64)}`],
    ['PBKDF2', `pbkdf2:sha256:1000$seasalt$${'a'.repeat(63)}`],
  ])('is refused as malformed %s: %s', (scheme, hash) => {
    expect(whyNotImportable(hash)).toBe(`The hash looks like ${scheme} but is malformed.`)
  })

  it.each([
    ['m is more than', `m=65536,t=4,p=1`, `m=65537,t=1,p=1`, (at: string) => `$argon2id$v=19$${at}$${salt}$${digest}`],
    ['m times t', `m=32768,t=8,p=1`, `m=32768,t=9,p=1`, (at: string) => `$argon2id$v=19$${at}$${salt}$${digest}`],
    ['p is more', `m=4096,t=3,p=16`, `m=4096,t=3,p=17`, (at: string) => `$argon2id$v=19$${at}$${salt}$${digest}`],
    ['cost is more', '13', '14', (at: string) => `$2b$${at}$${bcrypt}`],
    ['N times r is', 'ln=15,r=8,p=2', 'ln=16,r=8,p=1', (at: string) => `$scrypt$${at}$${salt}$${digest}`],
    ['r times p', 'ln=14,r=8,p=5', 'ln=14,r=8,p=6', (at: string) => `$scrypt$${at}$${salt}$${digest}`],
    ['N times r is', 'ln=10,r=256,p=1', 'ln=99,r=1,p=1', (at: string) => `$scrypt$${at}$${salt}$${digest}`],
    [
      'for each block',
      'i=750000,l=33',
      'i=750001,l=33',
      (at: string) => `$pbkdf2-sha256$${at}$${salt}$${'A'.repeat(44)}`,
    ],
    ['iterations', '1500000', '1500001', (at: string) => `$pbkdf2-sha512$i=${at}$${salt}$${digest}`],
  ])('is refused as too costly, and why: %s', (reason, most, more, hash) => {
    expect(whyNotImportable(hash(most))).toBeUndefined()
    expect(whyNotImportable(hash(more))).toMatch(new RegExp(`too costly.*${reason}`))
  })

  it('is never repeated by what it is refused with', () => {
    for (const hash of ['5f4dcc3b5aa765d61d8327deb882cf99', `$2b$31$${bcrypt}`, `$2b$10$${bcrypt}x`])
      expect(whyNotImportable(hash)).not.toContain(hash.slice(-20))
  })

  it('with any character of its digest changed matches no more', async () => {
    const cheap = foreignSamples.filter(({ name }) => name === 'PBKDF2 of two blocks')
    for (const { hash, password } of cheap)
      for (const at of [hash.lastIndexOf('$') + 1, hash.length - 3]) {
        const changed = `${hash.slice(0, at)}${hash[at] === 'A' ? 'B' : 'A'}${hash.slice(at + 1)}`
        expect(await matchForeign(argon2Native, changed, password)).toBe(false)
      }
    expect(cheap).toHaveLength(1)
  })

  it('at the limit of PBKDF2 is still checked', async () => {
    expect(readForeignHash(mostCostlyPbkdf2)).toMatchObject({ iterations: 1_500_000 })
    expect(await matchForeign(argon2Native, mostCostlyPbkdf2, foreignPassword)).toBe(true)
  })
})
