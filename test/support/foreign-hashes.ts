/**
 * Password hashes as other systems made them, by implementations that have nothing to do with those under test: Python's
 * `hashlib.scrypt` and `hashlib.pbkdf2_hmac`, libxcrypt's bcrypt through Perl's `crypt`, one of Openwall's published vectors of
 * crypt_blowfish, and the native build of argon2 (the Worker has a wasm build).
 */

/** The UTF-8 of this, in NFC, is what all of them but the named exceptions hash. */
export const foreignPassword = 'Tr0ub4dor & zo\u00eb'

export interface ForeignSample {
  readonly name: string
  readonly hash: string
  readonly password: string
}

const samples = {
  'argon2id with the defaults of argon2-cffi and of Node':
    '$argon2id$v=19$m=65536,t=3,p=4$c2Vhc2FsdHNlYXNhbHQxMg$1PvpySavbM67rDHMg/pfC+zTmdeiLtiSxzPLxHDz+u8',
  'argon2id with the defaults of PHP':
    '$argon2id$v=19$m=65536,t=4,p=1$c2Vhc2FsdHNlYXNhbHQxMg$PWfYs0o/52Dmil8dfhI2VLpHm+gcjuj3cOWuqpcjIPM',
  argon2i: '$argon2i$v=19$m=4096,t=3,p=1$c2Vhc2FsdHNlYXNhbHQxMg$WH13UgU02pdufas++4RjmN7a6PWgNw1ZlMvc/WSW0aE',
  argon2d: '$argon2d$v=19$m=4096,t=3,p=1$c2Vhc2FsdHNlYXNhbHQxMg$1gKg+hn0q3J1WUD1XePyTY6EbeZWN4i9ovEJx7t7M7w',
  'argon2id of version 1.0':
    '$argon2id$v=16$m=4096,t=3,p=1$c2Vhc2FsdHNlYXNhbHQxMg$i7LvqNqULjoqDLu9cWEpThxIyuHbJh+k2JLKgfwdRHU',
  'argon2i as Django writes it':
    'argon2$argon2i$v=19$m=4096,t=3,p=1$c2Vhc2FsdHNlYXNhbHQxMg$WH13UgU02pdufas++4RjmN7a6PWgNw1ZlMvc/WSW0aE',
  'bcrypt of PHP, cost 10': '$2y$10$abcdefghijklmnopqrstuuR9vr8ZS8EqsDm3H0sL9R4SDAOyYoJeu',
  'bcrypt, cost 12': '$2b$12$abcdefghijklmnopqrstuu8.VzFpFEzkPPeBNHUIqLN90aB/iJYua',
  'bcrypt as Django writes it, cost 13': 'bcrypt$$2a$13$abcdefghijklmnopqrstuuEzW168cadxKrLjwHdVUNeM7.kuZ5i7.',
  'scrypt in PHC form': '$scrypt$ln=14,r=8,p=1$yMnKy8zNzs/Q0dLT1NXW1w$8f9wzBSAoezWFSgKdti0qokzJpJdWbrW98Fd5hVglHQ',
  'scrypt of 32 MiB':
    '$scrypt$ln=15,r=8,p=1$yMnKy8zNzs/Q0dLT1NXW1w$f6z/Qmb7OyjjyC2pfHIzIVj76r3bsAUZeEfdkacH51t4bAJU20jYH4+zlQDQSvu97jhSKCUkLniTXbxl2p3efw',
  'scrypt as Django writes it':
    'scrypt$16384$seasalt$8$5$S/F52RPw9KzxKjEeo8IPH4S/TZhD+j8yK3A2F3jEbQqLsV2iLxzspX2LPTwkpMNUT9Vq8FaTXo3wLFet0WLmRA==',
  'scrypt as Werkzeug writes it':
    'scrypt:32768:8:1$seasalt$babc550557be6b383f6ba7836a923ee0afd4add406d3883ac1cc8efc973ebe1c249021e19aa418c2779762c65eddff3e19f2872fa2e78d9af6573eb8a8ee52b2',
  'PBKDF2 in PHC form':
    '$pbkdf2-sha256$i=60000,l=32$yMnKy8zNzs/Q0dLT1NXW1w$bTnEUhrZ0OnFQqHiSaweoZ4ILXrlQMhjN1fYEpm+LMw',
  'PBKDF2 with SHA-256 as passlib writes it':
    '$pbkdf2-sha256$29000$yMnKy8zNzs/Q0dLT1NXW1w$sd4F0WWRar4ZBjHyKBfqNMsiHNeQYPJZ/4zdCinxWzE',
  'PBKDF2 with SHA-512 as passlib writes it':
    '$pbkdf2-sha512$25000$yMnKy8zNzs/Q0dLT1NXW1w$LMvsNG00sFzz5u/XiC9AyoOob1A..LDdLcTRY5ta/HvECHVdcoCFKO9tqugnKdhPqECRX5H5kcG9JMS8hmIlCw',
  'PBKDF2 with SHA-1 as passlib writes it': '$pbkdf2$131000$yMnKy8zNzs/Q0dLT1NXW1w$F3pe/iHtisxrXKjqWUEnX0XeJhM',
  'PBKDF2 of two blocks':
    '$pbkdf2-sha1$i=1000,l=40$yMnKy8zNzs/Q0dLT1NXW1w$EHE+e7X6lIBm96PF6P15A0CbvUHWIH/pvkEulL0hJS7Ys/O2maEz2w',
  'PBKDF2 as Django writes it': 'pbkdf2_sha256$260000$seasalt$08Ggg3maQ/pafe+vsk/KUzgX+dRvI9p4nct/zBmUcfM=',
  'PBKDF2 as Werkzeug writes it':
    'pbkdf2:sha256:150000$seasalt$830dd761db75f16ec6dfcb887eb4b6dc3bc41d76b42bdc8c1968c542a8a47856',
}

/** In order: each is `foreignPassword`'s but the last three. */
export const foreignSamples: readonly ForeignSample[] = [
  ...Object.entries(samples).map(([name, hash]) => ({ name, hash, password: foreignPassword })),
  {
    name: 'bcrypt, as Openwall published it',
    hash: '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    password: 'U*U',
  },
  {
    name: 'bcrypt of more than its 72 bytes',
    hash: '$2b$06$abcdefghijklmnopqrstuurXMo7KFlreh8AFRgdGuhDoy0RFM3iha',
    password: '0123456789'.repeat(8),
  },
  {
    name: 'bcrypt of a password in NFD, as it was typed',
    hash: '$2b$06$abcdefghijklmnopqrstuuh5aaOcyfBZEOS9mFiLi3IHg2h3MiGOi',
    password: foreignPassword.normalize('NFD'),
  },
]

/** The most costly one of each scheme that is taken. */
export const mostCostlyPbkdf2 =
  '$pbkdf2-sha512$i=1500000,l=64$yMnKy8zNzs/Q0dLT1NXW1w$ivtIoT3idG9JaqqfoAPlloFlhVvaY76yw1u/P5MyhibTbzN2UF8Zccj9+qSt2gIVgi4abcmKsXAEGknesYoNUw'
