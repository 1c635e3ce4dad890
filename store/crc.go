package store

// The CRC-32 of a concatenation can be computed from the CRC-32s of its parts: multiply the first
// by x^(8*length of the second) modulo the polynomial, then add the second. The factor depends only
// on the length, so every block stores its own. In zlib, these are crc32_combine_gen and
// crc32_combine_op.
//
// Polynomials are in the reflected form of hash/crc32: bit 31 is x^0.

const (
	crcPolynomial = 0xedb88320 // IEEE, required by RFC 1952
	crcOne        = 1 << 31    // x^0
	crcByte       = 1 << 23    // x^8: the factor of a single byte
)

// crcMultiply is a*b modulo the polynomial.
func crcMultiply(a, b uint32) uint32 {
	var product uint32
	for range 32 {
		product ^= b & -(a >> 31)
		a <<= 1
		b = b>>1 ^ crcPolynomial&-(b&1)
	}
	return product
}

// crcFactorFor is the factor x^(8*length).
func crcFactorFor(length int) uint32 {
	factor, square := uint32(crcOne), uint32(crcByte)
	for n := length; n > 0; n >>= 1 {
		if n&1 == 1 {
			factor = crcMultiply(factor, square)
		}
		square = crcMultiply(square, square)
	}
	return factor
}

// crcCombine is the CRC-32 of two concatenated texts. factor is crcFactorFor of the length of the
// second.
func crcCombine(first, second, factor uint32) uint32 { return crcMultiply(factor, first) ^ second }
