// A service in Go that verifies access tokens with go-jose, told the URL of the key set, the issuer and the audience.
// It reads tokens, one a line, and answers each with "ok" or "refused: " and the reason.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"gopkg.in/square/go-jose.v2"
	"gopkg.in/square/go-jose.v2/jwt"
)

func main() {
	keySetURL, issuer, audience := os.Args[1], os.Args[2], os.Args[3]
	keys, err := fetchKeySet(keySetURL)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for tokens := bufio.NewScanner(os.Stdin); tokens.Scan(); {
		if err := verify(tokens.Text(), keys, issuer, audience); err != nil {
			fmt.Println("refused:", err)
		} else {
			fmt.Println("ok")
		}
	}
}

func verify(token string, keys *jose.JSONWebKeySet, issuer, audience string) error {
	parsed, err := jwt.ParseSigned(token)
	if err != nil {
		return err
	}
	if len(parsed.Headers) != 1 {
		return errors.New("not one signature")
	}
	header := parsed.Headers[0]
	// go-jose looks at neither by itself.
	if typ := header.ExtraHeaders[jose.HeaderType]; typ != "at+jwt" {
		return fmt.Errorf("typ %v", typ)
	}
	if header.Algorithm != string(jose.ES256) {
		return fmt.Errorf("alg %v", header.Algorithm)
	}
	var claims jwt.Claims
	if err := parsed.Claims(keys, &claims); err != nil {
		return err
	}
	// What a token does not say, go-jose does not check.
	if claims.Expiry == nil {
		return errors.New("no expiry")
	}
	expected := jwt.Expected{Issuer: issuer, Audience: jwt.Audience{audience}, Time: time.Now()}
	return claims.ValidateWithLeeway(expected, 0)
}

func fetchKeySet(url string) (*jose.JSONWebKeySet, error) {
	answer, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	keys := &jose.JSONWebKeySet{}
	return keys, json.NewDecoder(answer.Body).Decode(keys)
}
