package s3

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Names of credentials in the environment. A file has the same names in small letters.
const (
	keyID        = "AWS_ACCESS_KEY_ID"
	secretKey    = "AWS_SECRET_ACCESS_KEY"
	sessionToken = "AWS_SESSION_TOKEN"
)

// maxCredentials bounds a file of credentials, in bytes.
const maxCredentials = 16 << 10

// credentials reads them anew each time, from the file if there is one, so that they can be changed
// while a node runs.
func credentials(file string) (aws.Credentials, error) {
	if file == "" {
		return needed(aws.Credentials{
			AccessKeyID: os.Getenv(keyID), SecretAccessKey: os.Getenv(secretKey),
			SessionToken: os.Getenv(sessionToken), Source: "the environment",
		})
	}
	f, err := os.Open(file)
	if err != nil {
		return aws.Credentials{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err == nil && len(text) > maxCredentials {
		err = errors.New("it is too long to be one of credentials")
	}
	var c aws.Credentials
	if err == nil {
		c, err = decodeCredentials(text)
	}
	if err != nil {
		return aws.Credentials{}, fmt.Errorf("%s: %w", file, err)
	}
	c.Source = file
	return needed(c)
}

// decodeCredentials reads lines NAME = VALUE, as AWS's tools and environment files have them, and
// at most one heading in brackets. No error repeats what stands there.
func decodeCredentials(text []byte) (c aws.Credentials, err error) {
	fields := map[string]*string{
		keyID: &c.AccessKeyID, secretKey: &c.SecretAccessKey, sessionToken: &c.SessionToken,
	}
	headings := 0
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxCredentials+1)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "", line[0] == '#', line[0] == ';':
			continue
		case line[0] == '[':
			if headings++; headings > 1 {
				return aws.Credentials{}, fmt.Errorf("line %d begins a second profile: "+
					"a file has those of one", number)
			}
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		field := fields[strings.ToUpper(strings.TrimSpace(name))]
		if field == nil {
			return aws.Credentials{}, fmt.Errorf("line %d is none of %s, %s and %s", number,
				strings.ToLower(keyID), strings.ToLower(secretKey), strings.ToLower(sessionToken))
		}
		*field = strings.TrimSpace(value)
	}
	return c, lines.Err()
}

func needed(c aws.Credentials) (aws.Credentials, error) {
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return aws.Credentials{}, fmt.Errorf("%s has no %s with its %s", c.Source, keyID, secretKey)
	}
	return c, nil
}
