package store

// The CRC-32 of a concatenation follows from the CRC-32s of its parts: the
// first is multiplied by x^(8*length of the second) modulo the polynomial,
// then the second is added. The factor depends on the length alone, so that
// every page keeps its own (zlib calls this crc32_combine_gen and _op).
//
// Polynomials are in the reflected form of hash/crc32: bit 31 is x^0.

const (
	crcPolynomial = 0xedb88320 // IEEE, as RFC 1952 asks
	crcOne        = 1 << 31    // x^0
	crcByte       = 1 << 23    // x^8: the factor of a single byte
)

// crcProduct is a*b modulo the polynomial.
func crcMultiply(a, b uint32) uint32 {
	var product uint32
	for range 32 {
		product ^= b & -(a >> 31)
		a <<= 1
		b = b>>1 ^ crcPolynomial&-(b&1)
	}
	return product
}

// crcShift is the factor x^(8*length).
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

// crcJoin is the CRC-32 of two texts one after the other; shift is crcShift of
// the length of the second.
func crcCombine(first, second, factor uint32) uint32 { return crcMultiply(factor, first) ^ second }
