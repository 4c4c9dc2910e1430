// Package identity says who asks: it turns what a client shows (a token of a provider, a token of the gateway, a
// gateway-minted secret, a client certificate) into an access.Subject, or refuses in words that help.
//
// It refuses to know targets, rules and protocols, and it decides nothing but "who". Start at Registry.Token.
package identity
