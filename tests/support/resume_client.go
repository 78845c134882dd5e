// As resume_client.py, with net/http: resume_client URL FILE
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

const triesMax = 5

// Adds to data what comes; whether that was all, and the entity tag of it.
func fetch(url string, data *[]byte, tag string) (string, bool) {
	request, err := http.NewRequest("GET", url, nil)
	if err != nil {
		panic(err)
	}
	request.Header.Set("Accept-Encoding", "identity")
	if len(*data) > 0 && tag != "" {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", len(*data)))
		request.Header.Set("If-Range", tag)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return tag, false
	}
	defer answer.Body.Close()
	isRest := answer.StatusCode == 206 && strings.HasPrefix(answer.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", len(*data)))
	if answer.StatusCode == 200 {
		*data = nil
	} else if !isRest {
		panic(answer.Status)
	}
	more, err := io.ReadAll(answer.Body)
	*data = append(*data, more...)
	return answer.Header.Get("ETag"), err == nil
}

func main() {
	var data []byte
	tag, done := "", false
	for tried := 0; tried < triesMax && !done; tried++ {
		tag, done = fetch(os.Args[1], &data, tag)
	}
	if !done {
		panic("it broke off too often")
	}
	if err := os.WriteFile(os.Args[2], data, 0o644); err != nil {
		panic(err)
	}
}
