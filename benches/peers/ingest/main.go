// Reads rows from a URL with encoding/json's decoder and folds them into sums, as a Go exporter would.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type row struct {
	Amount                  *float64 `json:"amount"`
	AmountExcludingDiscount *float64 `json:"amount_excluding_discount"`
	Quantity                *float64 `json:"quantity"`
	QuantityType            string   `json:"quantity_type"`
	ConsumptionDate         string   `json:"consumption_date"`
	Contract                uint64   `json:"contract"`
	ProjectName             string   `json:"project_name"`
	ProjectID               string   `json:"project_id"`
	Product                 string   `json:"product"`
	ProductDescription      string   `json:"product_description"`
	Region                  string   `json:"region"`
	ResourceID              string   `json:"resource_id"`
	ConsumptionType         string   `json:"consumption_type"`
	ExternalPriceplan       string   `json:"external_priceplan"`
}

type key struct {
	contract                 uint64
	project, product, region string
	day                      string
}

type sums struct{ billed, list, quantity float64 }

func main() {
	begin := time.Now()
	answer, err := http.Get(os.Args[1])
	if err != nil {
		panic(err)
	}
	defer answer.Body.Close()
	decoder := json.NewDecoder(answer.Body)
	folded := map[key]*sums{}
	rows, total := 0, 0.0
	for {
		var next row
		if err := decoder.Decode(&next); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			panic(err)
		}
		day := next.ConsumptionDate[:10]
		at := key{next.Contract, next.ProjectName, next.Product, next.Region, day}
		sum := folded[at]
		if sum == nil {
			sum = &sums{}
			folded[at] = sum
		}
		sum.billed += *next.Amount
		sum.list += *next.AmountExcludingDiscount
		sum.quantity += *next.Quantity
		rows++
	}
	for _, sum := range folded {
		total += sum.billed
	}
	seconds := time.Since(begin).Seconds()
	fmt.Printf("{\"seconds\": %f, \"cpu\": %f, \"rows\": %d, \"total\": %.9f, \"peak\": %f}\n", seconds, cpu(), rows, total, peak())
}

// cpu is how long this process has used processors, in seconds.
func cpu() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()).Seconds()
}

// peak is the most memory that this process had, in MB.
func peak() float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "VmHWM:" {
			kibibytes, _ := strconv.ParseFloat(words[1], 64)
			return kibibytes * 1024 / 1e6
		}
	}
	return 0
}
